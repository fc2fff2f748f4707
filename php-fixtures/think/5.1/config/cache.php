<?php

return ['type' => 'complex', 'default' => ['type' => 'file', 'prefix' => 'web'], 'redis' => ['type' => 'redis']];
