// What other extensions may use, and the ids that they know.

import { Token } from '@lumino/coreutils';
import { ISignal } from '@lumino/signaling';

import { IServer } from './api';

/** The prefix of all plugin ids: the name of the package. */
export const PLUGIN = '@jupyterhub/jupyter-server-proxy';

/** Commands; other extensions call the first one. */
export namespace CommandIDs {
  /** Open a server; arguments: {id, title, url, newBrowserTab}. */
  export const open = 'server-proxy:open';
  export const start = 'server-proxy:start';
  export const stop = 'server-proxy:stop';
  export const restart = 'server-proxy:restart';
  export const showLog = 'server-proxy:show-log';
  export const copyLink = 'server-proxy:copy-link';
  export const showPorts = 'server-proxy:show-ports';
}

/** A server came to another state. */
export interface IStateChange {
  server: IServer;
  /** null when it was not known before. */
  previous: IServer | null;
}

/** The servers as they are, kept up to date without busy polling. */
export interface IServers {
  /** All servers, in the order of the configuration. */
  readonly all: ReadonlyArray<IServer>;
  /** Anything about any of them has changed. */
  readonly changed: ISignal<IServers, void>;
  /** The state of one of them has changed. */
  readonly stateChanged: ISignal<IServers, IStateChange>;
  /** The server of that name. */
  get(name: string): IServer | undefined;
  /** The server that a URL on this Jupyter leads to. */
  find(url: string): IServer | undefined;
  /** Ask again now. */
  refresh(): Promise<void>;
  start(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  restart(name: string): Promise<void>;
}

export const IServers = new Token<IServers>(
  `${PLUGIN}:IServers`,
  'The servers that Jupyter runs next to itself: their states, and how to start and stop them.'
);

/** How servers are opened, as the user has set it. */
export interface IOpener {
  /** Names of the servers that this user has opened in this window. */
  readonly opened: ReadonlySet<string>;
}

export const IOpener = new Token<IOpener>(
  `${PLUGIN}:IOpener`,
  'Knows which servers were opened in this window.'
);
