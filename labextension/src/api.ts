// The REST API of the server extension (docs/openapi.yaml), typed. Every request goes through ServerConnection, which knows
// the base URL, the token and the XSRF cookie.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { IServerSentEvent, readEvents } from './sse';

export type State = 'stopped' | 'starting' | 'ready' | 'stopping' | 'failed';

export interface IFailure {
  message: string;
  exit_code: number | null;
  time: string;
  retry_after: number | null;
  output: string[];
}

export interface IServer {
  name: string;
  title: string;
  url: string;
  icon_url: string | null;
  new_browser_tab: boolean;
  state: State;
  since: string;
  stage: 'process' | 'port' | 'answer' | null;
  managed: boolean;
  pid: number | null;
  started: string | null;
  failure: IFailure | null;
  last_exit: { code: number | null; signal: string | null; time: string } | null;
  requests_open: number;
  websockets_open: number;
  process: { cpu_percent: number; memory_bytes: number; count: number } | null;
}

export interface ILine {
  number: number;
  run: number;
  time: string;
  text: string;
}

export type PortOwner =
  | { kind: 'kernel'; id: string; name: string; notebook: string | null }
  | { kind: 'terminal'; name: string }
  | { kind: 'server'; name: string }
  | { kind: 'jupyter' };

export interface IPort {
  port: number;
  addresses: string[];
  pid: number;
  process: string;
  command: string;
  started: string;
  url: string;
  owner: PortOwner | null;
}

/** An entry of launchers, as servers-info tells it. */
export interface ILauncherEntry {
  enabled: boolean;
  title: string;
  path_info: string;
  category: string;
  icon_url?: string;
}

export interface IServerInfo {
  name: string;
  launcher_entry: ILauncherEntry;
  /** All entries; the first is launcher_entry. */
  launcher_entries?: ILauncherEntry[];
  new_browser_tab: boolean;
}

/** The answer was an error; the message names the server and the reason. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export class Api {
  constructor(readonly settings: ServerConnection.ISettings) {}

  /** What launchers show. */
  async serversInfo(): Promise<IServerInfo[]> {
    const answer = await this.request<{ server_processes: IServerInfo[] }>('GET', 'server-proxy/servers-info');
    return answer.server_processes;
  }

  async servers(): Promise<IServer[]> {
    return (await this.get<{ servers: IServer[] }>('servers')).servers;
  }

  async act(name: string, action: 'start' | 'stop' | 'restart'): Promise<IServer> {
    return this.request<IServer>('POST', `server-proxy/api/${serverPath(name)}/${action}`);
  }

  async ports(): Promise<IPort[]> {
    return (await this.get<{ ports: IPort[] }>('ports')).ports;
  }

  async logs(name: string, tail: number): Promise<ILine[]> {
    return (await this.get<{ lines: ILine[] }>(`${serverPath(name)}/logs?tail=${tail}`)).lines;
  }

  /** Lines of output and states as they come, until the signal is aborted or the connection ends. */
  async *follow(name: string, tail: number, signal: AbortSignal): AsyncGenerator<IServerSentEvent> {
    const path = `server-proxy/api/${serverPath(name)}/logs?follow=1&tail=${tail}`;
    const response = await this.fetch('GET', path, signal);
    if (response.body) {
      yield* readEvents(response.body);
    }
  }

  /** An absolute URL on this Jupyter, for a path that the server extension has told. */
  absolute(path: string): string {
    return new URL(path, new URL(this.settings.baseUrl, window.location.href)).href;
  }

  private async get<T>(path: string): Promise<T> {
    return this.request<T>('GET', `server-proxy/api/${path}`);
  }

  private async request<T>(method: string, path: string): Promise<T> {
    return (await this.fetch(method, path)).json() as Promise<T>;
  }

  private async fetch(method: string, path: string, signal?: AbortSignal): Promise<Response> {
    const url = URLExt.join(this.settings.baseUrl, path);
    const response = await ServerConnection.makeRequest(url, { method, signal }, this.settings);
    if (!response.ok) {
      const answer = (await response.json().catch(() => null)) as { message?: string } | null;
      throw new ApiError(response.status, answer?.message ?? `${response.status} ${response.statusText}`);
    }
    return response;
  }
}

/** The path of a server below the API; names may have slashes. */
export function serverPath(name: string): string {
  return `servers/${name.split('/').map(encodeURIComponent).join('/')}`;
}
