<?php
// Where restart signals are kept: in files of the application's own directory.

return ['default' => 'file', 'stores' => ['file' => ['type' => 'File', 'path' => '', 'prefix' => '', 'expire' => 0]]];
