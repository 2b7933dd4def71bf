local a = 1
function f()
  return '}'
end
function g()
  f()
end
