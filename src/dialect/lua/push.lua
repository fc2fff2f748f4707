-- Appends payloads to the ready list, with the wake-up token that goes with each where the wire has such tokens.
-- KEYS  1 ready list, 2 notify, where there is one   ARGV  payloads, 100 at most   Answer  length of the list
-- Counterpart  push of Illuminate\Queue\LuaScripts, bulk of Illuminate\Queue\RedisQueue.

local length = redis.call(append, KEYS[1], unpack(ARGV))
if KEYS[2] then
  local tokens = {}
  for index = 1, #ARGV do
    tokens[index] = 1
  end
  redis.call('RPUSH', KEYS[2], unpack(tokens))
end
return length
