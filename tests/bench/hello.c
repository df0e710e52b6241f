/* What peerbench's exec measures start. */
#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argv;
	if (argc < 2)
		puts("hello");
	return 0;
}
