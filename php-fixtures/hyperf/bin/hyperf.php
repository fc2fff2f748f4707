#!/usr/bin/env php
<?php
// A stand-in of our own for the entry of a Hyperf application: Handover looks whether it is there, and never runs it.

throw new RuntimeException('This needs Swoole.');
