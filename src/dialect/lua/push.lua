-- Appends payloads to the ready list, with the wake-up token that goes with each.
-- KEYS  1 ready list, 2 notify   ARGV  payloads, 100 at most   Answer  length of the list
-- Counterpart  push of Illuminate\Queue\LuaScripts, bulk of Illuminate\Queue\RedisQueue.

local tokens = {}
for index = 1, #ARGV do
    tokens[index] = 1
end
local length = redis.call('RPUSH', KEYS[1], unpack(ARGV))
redis.call('RPUSH', KEYS[2], unpack(tokens))
return length
