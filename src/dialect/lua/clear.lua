-- Removes every job of a queue; what was set aside, in quarantine or as timed out or failed, stays.
-- KEYS  1 ready list, 2 reserved, 3 delayed, 4 notify, where there is one   Answer  how many jobs there were
-- Counterpart  clear of Illuminate\Queue\LuaScripts.

local jobs = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3])
redis.call('DEL', unpack(KEYS))
return jobs
