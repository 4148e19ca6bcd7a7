/* splice: standard input, a pipe that is made 1 MiB large, to standard output, a file, without reading it (splice(2)).
 *
 * What carrying bytes from a pipe to a file costs at least, as a baseline for those who do it with more to think of.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

int main(void) {
    fcntl(STDIN_FILENO, F_SETPIPE_SZ, 1 << 20);
    ssize_t moved;
    while ((moved = splice(STDIN_FILENO, NULL, STDOUT_FILENO, NULL, 1 << 20, SPLICE_F_MOVE)) > 0);
    return moved < 0;
}
