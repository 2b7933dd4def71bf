import a


def f():
    return '}'


def h():
    return (1
