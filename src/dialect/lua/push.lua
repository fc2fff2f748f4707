-- Appends a payload to the ready list, with the wake-up token that goes with it.
-- KEYS  1 ready list, 2 notify   ARGV  1 payload   Answer  length of the list
-- Counterpart  push of Illuminate\Queue\LuaScripts.

local length = redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], 1)
return length
