local a = 1
function f()
  return '}'
end
function g()
  if f() then
end
