/* Three commands from a Cortex-M3 in QEMU (lm3s6965evb) to a module on its UART1; the conversation shows on UART0. */
#include <stdint.h>

#define REG(uart, offset) (*(volatile uint32_t *)((uart) + (offset)))
#define CONSOLE 0x4000C000u
#define MODEM 0x4000D000u

/* PL011: data, flags (0x20 transmitter full, 0x10 receiver empty), control (enable, transmit, receive). */
enum { DR = 0x00, FR = 0x18, CR = 0x30 };

static void put(uint32_t uart, char c)
{
    while (REG(uart, FR) & 0x20) {
    }
    REG(uart, DR) = (uint8_t)c;
}

static void print(uint32_t uart, const char *text)
{
    while (*text)
        put(uart, *text++);
}

static char get(uint32_t uart)
{
    while (REG(uart, FR) & 0x10) {
    }
    return (char)REG(uart, DR);
}

/* Types a line, and shows what comes up to its final result. */
static void command(const char *line)
{
    char first = 0, second = 0;
    int length = 0;

    print(MODEM, line);
    put(MODEM, '\r');
    for (;;) {
        char c = get(MODEM);
        put(CONSOLE, c);
        if (c == '\n') {
            if ((first == 'O' && second == 'K') || (first == 'E' && second == 'R'))
                return;
            length = 0;
            first = second = 0;
        } else if (length++ == 0) {
            first = c;
        } else if (length == 2) {
            second = c;
        }
    }
}

void reset(void)
{
    REG(CONSOLE, CR) = 0x301;
    REG(MODEM, CR) = 0x301;
    command("AT");
    command("AT+CGMM");
    command("AT+CSQ");
    /* Semihosting: the program ends, and QEMU with it. */
    __asm volatile("mov r0, #0x18\n ldr r1, =0x20026\n bkpt 0xab");
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {0x20010000u, (uintptr_t)reset};
