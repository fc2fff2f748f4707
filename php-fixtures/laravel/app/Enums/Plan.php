<?php
// A backed enum for jobs to carry.

namespace App\Enums;

enum Plan: string
{
    case Free = 'free';
    case Paid = 'paid';
}
