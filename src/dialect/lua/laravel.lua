-- Laravel's wire.
-- Put in front of the scripts. Says which way the list goes, which keys there are beside the four that every wire has, and
-- who counts an attempt.
-- Counterpart  Illuminate\Queue\RedisQueue.

local take, append, put_back = 'LPOP', 'RPUSH', 'LPUSH'
-- Wake-up tokens, one for each ready job; where expired reservations go that do not come back; where failed jobs go.
local notify, timeout, failed = KEYS[5], nil, nil
-- The reserved bytes carry the count of this attempt; else they are the popped ones, and whoever brings a job back counts.
local counts_at_reserve = true
-- Of due jobs, the one that is due first goes first.
local newest_first = false
