#include <a.h>

int f(void)
{
	return g('}';
}

int h(void)
{
}
