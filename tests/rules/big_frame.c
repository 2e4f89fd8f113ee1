/* gate: kernel-link; says: stack frame size .* exceeds limit */
#ifdef OBEYED
#define BYTES 256
#else
#define BYTES 2048
#endif

void fill(char *buffer);
void rule(void);

void rule(void)
{
    char buffer[BYTES];

    fill(buffer);
}
