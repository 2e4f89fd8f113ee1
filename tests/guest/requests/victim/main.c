/* A service that does nothing. */
#include <os/server.h>
#include <os/start.h>

int main(void)
{
    struct server server = {.endpoint = os_cap("endpoint")};
    return status_code(server_run(&server));
}
