<?php
// A model for jobs to carry: SerializesModels leaves its class and id in the payload.

namespace App\Models;

class User extends \Illuminate\Database\Eloquent\Model
{
    public $timestamps = false;

    protected $guarded = [];
}
