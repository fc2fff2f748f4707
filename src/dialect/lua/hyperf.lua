-- The wire of Hyperf's async-queue.
-- Put in front of the scripts. Says which way the lists go, which keys there are beside the four that every wire has, and
-- who counts an attempt.
-- Counterpart  Hyperf\AsyncQueue\Driver\RedisDriver, whose commands one by one lose a message where they are cut off.

local take, append, put_back = 'RPOP', 'LPUSH', 'RPUSH'
local notify, timeout, failed = nil, KEYS[5], KEYS[6]
local counts_at_reserve = false
-- Of due messages, the one that is due last goes first.
local newest_first = true

