/** The names of Linux' signals, by their numbers from 1 on. */
const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" ");

/** `SIGKILL` for 9; a number that has no name stays one. */
export function signalName(number: number): string {
  const name = NAMES[number - 1];
  return name ? `SIG${name}` : `signal ${number}`;
}
