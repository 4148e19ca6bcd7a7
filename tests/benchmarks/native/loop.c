/* loop CHILD FIFO NAME...: the least that anything which starts processes can cost, as a baseline for the supervisors.
 *
 * One posix_spawn per NAME (CHILD FIFO NAME); then it sleeps. SIGTERM: SIGTERM to all, wait for all, exit.
 * It supervises nothing: a child that dies stays dead.
 */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);

    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

    int count = argc - 3;
    pid_t *pids = calloc(count, sizeof *pids);
    for (int i = 0; i < count; i++) {
        char *child[] = {argv[1], argv[2], argv[3 + i], NULL};
        if (posix_spawn(&pids[i], argv[1], NULL, &attributes, child, environ) != 0) return 1;
    }

    int signal_number;
    sigwait(&term, &signal_number);
    for (int i = 0; i < count; i++) kill(pids[i], SIGTERM);
    for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
    return 0;
}
