// What can be told of listening ports: which are hidden, which are new, how they are called.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IPort, PortOwner } from './api';

// ---- hidden ports

/** Port numbers from the first to the last. */
export interface IRange {
  first: number;
  last: number;
}

/** "8050" or "9000-9010"; null for anything else. */
export function parseRange(text: string): IRange | null {
  const match = /^\s*(\d{1,5})\s*(?:[-–]\s*(\d{1,5})\s*)?$/.exec(text);
  if (!match) {
    return null;
  }
  const numbers = [Number(match[1]), Number(match[2] ?? match[1])];
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
  return first >= 1 && last <= 65535 ? { first, last } : null;
}

/** Those entries of a list that are ranges; what is none has no effect. */
export function parseRanges(entries: readonly string[]): IRange[] {
  return entries.map(parseRange).filter((range): range is IRange => range !== null);
}

export function isListed(port: number, ranges: readonly IRange[]): boolean {
  return ranges.some(({ first, last }) => first <= port && port <= last);
}

/** The list with a port more. */
export function addHidden(entries: readonly string[], port: number): string[] {
  return isListed(port, parseRanges(entries)) ? [...entries] : [...entries, String(port)];
}

/** The list without a port: ranges that contain it are parted. */
export function removeHidden(entries: readonly string[], port: number): string[] {
  return entries.flatMap(entry => {
    const range = parseRange(entry);
    if (!range || !isListed(port, [range])) {
      return [entry];
    }
    return [writeRange(range.first, port - 1), writeRange(port + 1, range.last)].filter(text => text !== '');
  });
}

function writeRange(first: number, last: number): string {
  if (first > last) {
    return '';
  }
  return first === last ? String(first) : `${first}-${last}`;
}

/** Why a port is not shown: the user has listed it, or it is of use to Jupyter only. */
export type HiddenBecause = 'listed' | 'internal' | null;

/**
 * Why a port is hidden, if it is.
 *
 * @param ranges - that the user has listed
 * @param showInternal - whether those are shown that only Jupyter uses
 */
export function hiddenBecause(port: IKnownPort, ranges: readonly IRange[], showInternal: boolean): HiddenBecause {
  if (!showInternal && port.internal) {
    return 'internal';
  }
  return isListed(port.port, ranges) ? 'listed' : null;
}

// ---- ports that only Jupyter uses

export interface IKnownPort extends IPort {
  /** Only Jupyter itself uses it: nothing that anybody would open. */
  internal: boolean;
}

/** Where systems begin that give a process any free port: Linux has the lowest. */
const FIRST_ARBITRARY = 32768;

/**
 * Finds out which ports only Jupyter itself uses: its own, those of the debugger, and one of each Python kernel.
 *
 * By that one, processes that a kernel has forked send their output to it; only the kernel knows its number. It is
 * there from the beginning. So the first port of that kind that a kernel has is this one; what comes later is a server
 * that the notebook runs in its kernel. Where several were there when the page was loaded, nobody can tell.
 */
export class InternalPorts {
  mark(ports: readonly IPort[]): IKnownPort[] {
    this.learn(ports);
    return ports.map(port => ({ ...port, internal: this.isInternal(port) }));
  }

  private learn(ports: readonly IPort[]): void {
    const candidates = new Map<string, IPort[]>();
    for (const port of ports) {
      const { command, owner } = port;
      if (owner?.kind === 'kernel' && port.port >= FIRST_ARBITRARY && /\s-m\s+\S*kernel/.test(command)) {
        candidates.set(owner.id, [...(candidates.get(owner.id) ?? []), port]);
      }
    }
    const before = this._pipes;
    this._pipes = new Map();
    for (const [id, found] of candidates) {
      // Processes that the kernel has forked have the same command.
      const oldest = found.reduce((one, other) => (other.started < one.started ? other : one)).pid;
      const own = found.filter(({ pid }) => pid === oldest);
      const known = own.find(({ pid, port }) => before.get(id) === `${pid}:${port}`);
      const pipe = known ?? (own.length === 1 ? own[0] : null);
      if (pipe) {
        this._pipes.set(id, `${pipe.pid}:${pipe.port}`);
      }
    }
  }

  private isInternal({ port, pid, command, owner }: IPort): boolean {
    if (owner?.kind === 'kernel') {
      return this._pipes.get(owner.id) === `${pid}:${port}` || /\bdebugpy[\\/]adapter\b/.test(command);
    }
    return owner?.kind === 'jupyter';
  }

  /** By the ids of kernels: "pid:port". */
  private _pipes = new Map<string, string>();
}

// ---- names

/** Names that the server extension does not tell with a port. */
export interface INames {
  /** What people call a kernel of that name. */
  kernel(name: string): string;
  /** What people call a configured server of that name. */
  server(name: string): string;
}

/** What an owner is called. */
export function ownerName(owner: PortOwner | null, names: INames, trans: TranslationBundle): string {
  switch (owner?.kind) {
    case 'kernel':
      return owner.notebook ? baseName(owner.notebook) : trans.__('Kernel %1', names.kernel(owner.name));
    case 'terminal':
      return trans.__('Terminal %1', owner.name);
    case 'server':
      return names.server(owner.name);
    case 'jupyter':
      return trans.__('Jupyter');
    default:
      return trans.__('Other');
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether a port has all words of a filter: in its number, process, command, or owner. */
export function matches(port: IPort, owner: string, filter: string): boolean {
  const notebook = port.owner?.kind === 'kernel' ? port.owner.notebook : null;
  const text = [port.port, port.process, port.command, owner, notebook ?? ''].join('\n').toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word));
}

// ---- new ports

/** Milliseconds for which a port that was announced is not announced again. */
export const QUIET = 60 * 60 * 1000;

/**
 * Those ports, one entry for each number, that came since the last look and that somebody should be told of: a kernel
 * or a terminal has opened them, and the user does not hide them.
 *
 * @param before - numbers of all ports at the last look; null if this is the first
 * @param now - all ports
 * @param ranges - that the user hides
 * @param announced - when a port was announced last, milliseconds since the epoch; 0 if never
 * @param time - milliseconds since the epoch
 */
export function findNew(
  before: ReadonlySet<number> | null,
  now: readonly IKnownPort[],
  ranges: readonly IRange[],
  announced: (port: number) => number,
  time: number
): IKnownPort[] {
  if (before === null) {
    return [];
  }
  const found = new Map<number, IKnownPort>();
  for (const port of now) {
    const opened = port.owner?.kind === 'kernel' || port.owner?.kind === 'terminal';
    const hidden = hiddenBecause(port, ranges, false) !== null;
    const last = announced(port.port);
    // A clock that was put back must not silence anything for longer than an hour.
    const recent = last > 0 && Math.abs(time - last) < QUIET;
    if (opened && !hidden && !recent && !before.has(port.port) && !found.has(port.port)) {
      found.set(port.port, port);
    }
  }
  return [...found.values()];
}
