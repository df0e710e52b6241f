-- A Lua program of some size: coroutines, string patterns, tables, io and os.
-- It prints nothing and exits with 0 when every check holds.

local failed = 0

local function check(what, got, wanted)
  if got ~= wanted then
    io.stderr:write(string.format("program.lua: %s: got %s, expected %s\n",
      what, tostring(got), tostring(wanted)))
    failed = failed + 1
  end
end

-- Coroutines -----------------------------------------------------------------

local function generate(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield(i) end
  end)
end

local function filter(predicate, source)
  return coroutine.wrap(function()
    for value in source do
      if predicate(value) then coroutine.yield(value) end
    end
  end)
end

local function sieve(limit)
  local source = coroutine.wrap(function()
    for i = 2, limit do coroutine.yield(i) end
  end)
  local primes = {}
  while true do
    local prime = source()
    if not prime then return primes end
    primes[#primes + 1] = prime
    source = filter(function(x) return x % prime ~= 0 end, source)
  end
end

local primes = sieve(500)
check("number of primes", #primes, 95)
check("last prime", primes[#primes], 499)

local sum = 0
for i in generate(1000) do sum = sum + i end
check("generator", sum, 500500)

-- A round-robin scheduler of tasks that talk through a queue.
local queue, log = {}, {}
local tasks = {
  coroutine.create(function()
    for i = 1, 5 do queue[#queue + 1] = i; coroutine.yield() end
    queue[#queue + 1] = "end"
  end),
  coroutine.create(function()
    while true do
      local item = table.remove(queue, 1)
      if item == "end" then return end
      if item then log[#log + 1] = item * item end
      coroutine.yield()
    end
  end),
}
while #tasks > 0 do
  for i = #tasks, 1, -1 do
    local ok, message = coroutine.resume(tasks[i])
    check("resume", ok, true)
    if not ok then error(message) end
    if coroutine.status(tasks[i]) == "dead" then table.remove(tasks, i) end
  end
end
check("scheduler", table.concat(log, " "), "1 4 9 16 25")

local broken = coroutine.create(function() error({ code = 7 }) end)
local ok, reason = coroutine.resume(broken)
check("an error in a coroutine", ok, false)
check("its value", reason.code, 7)

-- Strings and patterns ---------------------------------------------------------

local text = "The quick brown fox jumps over the lazy dog"
local words, letters = 0, {}
for word in text:gmatch("%a+") do
  words = words + 1
  for letter in word:lower():gmatch(".") do letters[letter] = (letters[letter] or 0) + 1 end
end
local kinds = 0
for _ in pairs(letters) do kinds = kinds + 1 end
check("words", words, 9)
check("kinds of letters", kinds, 26)
check("letter o", letters.o, 4)
check("substitution", (text:gsub("%w+", string.upper, 2)), "THE QUICK brown fox jumps over the lazy dog")
check("captures", ("key = value"):gsub("(%w+) = (%w+)", "%2:%1"), "value:key")
check("frontier", select(2, ("THE (quick) fox"):gsub("%f[%a]%a+", "")), 3)
check("balanced", ("f(a(b)c)d"):match("%b()"), "(a(b)c)")
check("date", ("2001-02-03"):match("^(%d+)%-(%d+)%-(%d+)$"), "2001")
check("position", ("hello"):find("l", 1, true), 3)
check("format", string.format("%5.2f|%-5s|%05d|%x|%q", 3.14159, "ab", 42, 255, "a\nb"),
  " 3.14|ab   |00042|ff|\"a\\\nb\"")
check("repeat and reverse", ("ab"):rep(3, "-"):reverse(), "ba-ba-ba")
check("bytes", table.concat({ ("AZ"):byte(1, -1) }, ","), "65,90")
check("pack", string.unpack("<I4", string.pack("<I4", 0xdeadbeef)), 0xdeadbeef)
check("utf8", utf8.len("grün"), 4)
check("integers", 7 // 2 + 7 % 3 + (1 << 10), 1028)
check("floats", 10 / 4, 2.5)
check("overflow wraps", math.maxinteger + 1, math.mininteger)
check("sqrt", math.sqrt(2) * math.sqrt(2) > 1.9999999, true)

-- Tables, metatables, closures ---------------------------------------------------

local Stack = {}
Stack.__index = Stack
Stack.__len = function(self) return self.count end
Stack.__tostring = function(self) return "Stack(" .. self.count .. ")" end
function Stack.new() return setmetatable({ count = 0 }, Stack) end
function Stack:push(...)
  for _, value in ipairs({ ... }) do
    self.count = self.count + 1
    self[self.count] = value
  end
  return self
end
function Stack:pop()
  local value = self[self.count]
  self[self.count] = nil
  self.count = self.count - 1
  return value
end
local stack = Stack.new():push(1, 2, 3)
check("length by metatable", #stack, 3)
check("pop", stack:pop(), 3)
check("tostring", tostring(stack), "Stack(2)")

local numbers = {}
for i = 1, 20000 do numbers[i] = (i * 7919) % 20011 end
table.sort(numbers)
local ordered = true
for i = 2, #numbers do ordered = ordered and numbers[i - 1] < numbers[i] end
check("sorted", ordered, true)
table.sort(numbers, function(a, b) return a > b end)
check("sorted downwards", numbers[1] > numbers[20000], true)

local weak = setmetatable({}, { __mode = "k" })
for _ = 1, 1000 do weak[{}] = string.rep("x", 1000) end
collectgarbage()
check("weak keys are collected", next(weak), nil)

-- io -----------------------------------------------------------------------------

local path = os.tmpname()
local file = assert(io.open(path, "w"))
for i = 1, 2000 do file:write("line ", i, "\n") end
check("position", file:seek("cur"), 18893)
file:close()

local count, last = 0, nil
for line in io.lines(path) do count, last = count + 1, line end
check("lines", count, 2000)
check("last line", last, "line 2000")

file = assert(io.open(path, "r+b"))
file:seek("set", 5)
file:write("X")
file:seek("end", -5)
check("read the rest", file:read("a"), "2000\n")
file:seek("set")
check("changed in place", file:read("l"), "line X")
check("a number", select(2, file:read(5, "n")), 2)
file:setvbuf("full", 4096)
file:close()
check("closed", io.type(file), "closed file")
check("a missing file", select(3, io.open("/no/such/file")), 2)

local pipe = assert(io.popen("echo from a child; exit 3"))
check("popen", pipe:read("a"), "from a child\n")
check("exit code of popen", select(3, pipe:close()), 3)

-- os -----------------------------------------------------------------------------

check("rename", os.rename(path, path .. ".moved"), true)
check("remove", os.remove(path .. ".moved"), true)
check("remove again", os.remove(path .. ".moved"), nil)
check("execute", select(3, os.execute("exit 5")), 5)
check("killed", select(2, os.execute("kill -9 $$")), "signal")
check("getenv", os.getenv("NO_SUCH_VARIABLE"), nil)
check("date", os.date("!%Y-%m-%d %H:%M:%S", 1000000000), "2001-09-09 01:46:40")
check("time", os.time() > 1704067200, true)
check("time of a date", os.date("*t", os.time({ year = 2020, month = 2, day = 30 })).day, 1)
check("clock", os.clock() >= 0, true)

-- Errors ---------------------------------------------------------------------------

check("pcall", select(2, pcall(error, "message", 0)), "message")
local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
check("recursion", deep(10000), 10000)
check("stack overflow is an error", pcall(deep, 10000000), false)
check("load", load("local a, b = ...; return a * b")(6, 7), 42)
check("traceback", debug.traceback("here"):match("^here\nstack traceback:") ~= nil, true)

os.exit(failed == 0)
