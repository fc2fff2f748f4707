-- In place of attempts.lua where the bytes are PHP's: no script looks into them, and whoever asked finds the count.

local function locate()
  return 0, 0, 0
end
local function counted(body)
  return body
end

