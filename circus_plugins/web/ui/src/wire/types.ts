/** What travels between the server and the browser. Times are seconds since the epoch, memory is bytes, CPU is percent of one core. */

export type Mood = "good" | "busy" | "bad" | "off";
export type Role = "view" | "operate" | "admin";
export type Point = readonly [at: number, cpu: number, memory: number];

export interface RowTold {
  id: number;
  name: string;
  state: string;
  mood: Mood;
  wanted: number | null;
  up: number;
  ready: number;
  restarts: number;
  since: number | null;
  trouble: string;
  /** When the next try is, where a process is waited for. */
  retry?: number | null;
  plugin: boolean;
  cpu: number | null;
  memory: number | null;
  past?: Point[];
}

export interface SocketTold {
  fd: number;
  name: string;
  address: string;
  waiting: number | null;
  limit: number | null;
  dropped: number | null;
  watchers: string[];
  pids: number[];
  past?: [at: number, waiting: number][];
}

export interface Circusd {
  pid: number | null;
  version: string;
  cpu: number | null;
  memory: number | null;
  cpus?: number[];
  memories?: number[];
  since?: number | null;
}

export interface Machine {
  cpus: number;
  load: number[];
  memory_used: number;
  memory_total: number;
}

export interface Snapshot {
  at: number;
  problem: string;
  circusd: Circusd;
  /** Of another machine nothing is known. */
  machine: Machine | null;
  watchers: RowTold[];
  sockets: SocketTold[];
}

export interface RowsTold {
  at: number;
  rows: RowTold[];
  gone: number[];
}

export interface Figures {
  at: number;
  machine: Machine | null;
  circusd: [cpu: number, memory: number] | null;
  rows: [id: number, cpu: number, memory: number][];
  sockets: [fd: number, waiting: number][];
}

export interface CommandTold {
  name: string;
  role: Role;
  summary: string;
  waits: boolean;
}

export interface Hello {
  version: string;
  host: string;
  user: string;
  role: Role;
  read_only: boolean;
  login?: boolean;
  commands: CommandTold[];
}

export interface EventTold {
  event: string;
  seq: number;
  at: number;
  run?: string;
  watcher?: string;
  wid?: number;
  [field: string]: unknown;
}

export interface ProcessTold {
  pid: number;
  wid: number | null;
  state: string;
  since: number | null;
  restarts: number;
  cpu: number | null;
  memory: number | null;
  past?: Point[];
}

export interface Exit {
  at: number;
  wid: number;
  pid: number;
  exit_code?: number;
  signal?: number;
  signal_name?: string;
}

/** What `status` says of a watcher; plugins may add to it. */
export interface Details {
  state: string;
  numprocesses: number;
  restarts: number;
  waiting: { wid: number; in: number; failures?: number }[];
  gave_up: { wid: number; reason: string }[];
  last_error: string;
  last_exit: Exit | null;
  last_words: string[];
  operation: string | null;
  facts?: Record<string, unknown>;
}

export interface WatcherTold {
  name: string;
  at?: number;
  details: Details;
  processes: ProcessTold[];
}

export interface ProcessesTold {
  name: string;
  at: number;
  rows: [pid: number, cpu: number, memory: number][];
}

export interface LineTold {
  at: number | null;
  watcher: string;
  wid: number;
  pid: number;
  stream: "stdout" | "stderr";
  text: string;
  /** How many characters the server left out at its end. */
  cut?: number;
}

export interface OutputTold {
  name: string;
  lines: LineTold[];
  lost: number;
  /** Why nothing can be followed, if so. */
  problem?: string;
}

export interface PluginTold {
  name: string;
  use: string;
  host: string;
  started: boolean;
  hooks: string[];
  failures: number;
  last_error: string;
  disabled: boolean;
  watcher?: string | null;
  pid?: number | null;
  behind?: number;
  options?: Record<string, unknown>;
  installed?: string;
  adds_commands?: string[];
  adds_options?: string[];
}

export interface Planned {
  action: string;
  target: string;
  why: string;
}

/** What circusd replied, or why it did not. */
export type Answer =
  | ({ ok: true } & Record<string, unknown>)
  | { ok: false; reason: string; hint?: string; errno?: number };
