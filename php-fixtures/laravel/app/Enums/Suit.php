<?php
// A pure enum for jobs to carry.

namespace App\Enums;

enum Suit
{
    case Hearts;
    case Spades;
}
