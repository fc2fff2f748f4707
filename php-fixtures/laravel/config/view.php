<?php
// Where views would be; the mailer asks.

return ['paths' => [resource_path('views')], 'compiled' => storage_path('framework/views')];
