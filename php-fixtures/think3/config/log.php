<?php
// What a worker reports of jobs that throw, in files of the application's own directory.

return ['default' => 'file', 'channels' => ['file' => ['type' => 'File', 'path' => '', 'single' => true]]];
