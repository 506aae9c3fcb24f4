// The servers as they are: one poll for all views. It rests while the tab is hidden; one connection for each tab that
// stays open would soon use up the six that browsers allow for a host.

import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Api, IServer } from './api';
import { IServers, IStateChange } from './tokens';

/** Milliseconds between looks where nothing is going on, and while a server starts or stops. */
const QUIET = 5000;
const BUSY = 1000;

export class ServersModel implements IServers {
  constructor(private readonly _api: Api) {
    this._poll = new Poll({
      auto: false,
      name: 'server-proxy:servers',
      factory: () => this.load(),
      frequency: { interval: QUIET, backoff: true, max: 60000 },
      standby: 'when-hidden'
    });
  }

  get all(): ReadonlyArray<IServer> {
    return this._all;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get stateChanged(): ISignal<this, IStateChange> {
    return this._stateChanged;
  }

  /** Begin to look; milliseconds between looks where nothing is going on. */
  begin(interval: number = QUIET): void {
    this._interval = interval;
    this._poll.frequency = { ...this._poll.frequency, interval };
    void this._poll.start();
  }

  get(name: string): IServer | undefined {
    return this._all.find(server => server.name === name);
  }

  find(url: string): IServer | undefined {
    const path = new URL(url, window.location.href).pathname;
    const base = new URL(this._api.settings.baseUrl, window.location.href).pathname;
    return [...this._all]
      .sort((one, other) => other.name.length - one.name.length)
      .find(({ name }) => path === base + name || path.startsWith(`${base}${name}/`));
  }

  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick;
  }

  start(name: string): Promise<void> {
    return this.act(name, 'start');
  }

  stop(name: string): Promise<void> {
    return this.act(name, 'stop');
  }

  restart(name: string): Promise<void> {
    return this.act(name, 'restart');
  }

  private async act(name: string, action: 'start' | 'stop' | 'restart'): Promise<void> {
    const server = await this._api.act(name, action);
    this.update(this._all.map(one => (one.name === name ? server : one)));
    void this._poll.refresh();
  }

  private async load(): Promise<void> {
    this.update(await this._api.servers());
  }

  private update(servers: IServer[]): void {
    const before = new Map(this._all.map(server => [server.name, server]));
    this._all = servers;
    const busy = servers.some(({ state }) => state === 'starting' || state === 'stopping');
    const interval = busy ? BUSY : this._interval;
    if (this._poll.frequency.interval !== interval) {
      this._poll.frequency = { ...this._poll.frequency, interval };
    }
    this._changed.emit();
    for (const server of servers) {
      const previous = before.get(server.name) ?? null;
      if (previous?.state !== server.state || previous?.since !== server.since) {
        this._stateChanged.emit({ server, previous });
      }
    }
  }

  private _all: ReadonlyArray<IServer> = [];
  private _interval = QUIET;
  private readonly _poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _stateChanged = new Signal<this, IStateChange>(this);
}
