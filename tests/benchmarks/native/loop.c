/* loop CHILD FIFO NAME...: the least that keeping processes alive can cost, as a baseline for the supervisors.
 *
 * One posix_spawn per NAME (CHILD FIFO NAME), and another for each that dies, at once and for ever.
 * SIGTERM: SIGTERM to all, wait for all, exit. No configuration, no log, no backoff, no answer to anybody.
 */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static posix_spawnattr_t attributes;

static pid_t spawn(char *program, char *fifo, char *name) {
    char *child[] = {program, fifo, name, NULL};
    pid_t pid;
    if (posix_spawn(&pid, program, NULL, &attributes, child, environ) != 0) exit(1);
    return pid;
}

int main(int argc, char **argv) {
    sigset_t waited, none;
    sigemptyset(&none);
    sigemptyset(&waited);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &waited, NULL);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

    int count = argc - 3;
    pid_t *pids = calloc(count, sizeof *pids);
    for (int i = 0; i < count; i++) pids[i] = spawn(argv[1], argv[2], argv[3 + i]);

    int signal_number;
    while (sigwait(&waited, &signal_number) == 0 && signal_number != SIGTERM) {
        pid_t dead;
        while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
            for (int i = 0; i < count; i++)
                if (pids[i] == dead) pids[i] = spawn(argv[1], argv[2], argv[3 + i]);
    }
    for (int i = 0; i < count; i++) kill(pids[i], SIGTERM);
    for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
    return 0;
}
