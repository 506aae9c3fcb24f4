// The listening ports as they are: one poll for the panel and the announcements; and how the user wants to see them.

import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Api } from './api';
import { IKnownPort, InternalPorts, IRange, parseRanges } from './ports';

export class PortsModel {
  constructor(private readonly _api: Api) {
    this._poll = new Poll({
      auto: false,
      name: 'server-proxy:ports',
      factory: () => this.load(),
      frequency: { interval: 10000, backoff: true, max: 60000 },
      standby: 'when-hidden'
    });
  }

  /** In ascending order; empty before the first look. */
  get all(): readonly IKnownPort[] {
    return this._all;
  }

  /** Why the last look failed; null if it did not. */
  get problem(): string | null {
    return this._problem;
  }

  /** Whether a look has succeeded, ever. */
  get known(): boolean {
    return this._known;
  }

  /** A look has succeeded or failed. */
  get looked(): ISignal<this, void> {
    return this._looked;
  }

  /** Look every so many milliseconds, or no more if null. What becomes more frequent begins at once. */
  setInterval(interval: number | null): void {
    const before = this._interval;
    if (interval === before) {
      return;
    }
    this._interval = interval;
    if (interval === null) {
      void this._poll.stop();
      return;
    }
    this._poll.frequency = { backoff: true, interval, max: Math.max(60000, interval) };
    if (before === null || interval < before) {
      void this._poll.refresh();
    }
  }

  private async load(): Promise<void> {
    try {
      this._all = this._internal.mark(await this._api.ports());
      this._problem = null;
      this._known = true;
    } catch (reason) {
      this._problem = reason instanceof Error ? reason.message : String(reason);
      throw reason; // the poll slows down
    } finally {
      this._looked.emit();
    }
  }

  private _all: readonly IKnownPort[] = [];
  private _problem: string | null = null;
  private _known = false;
  private _interval: number | null = null;
  private readonly _internal = new InternalPorts();
  private readonly _poll: Poll;
  private readonly _looked = new Signal<this, void>(this);
}

interface IValues {
  announce: boolean;
  hidden: string[];
  showInternal: boolean;
  interval: number;
  idleInterval: number;
}

/** The settings of the plugin; where they are not kept, they last as long as the page. */
export class PortsSettings {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Ports that the user hides. */
  get ranges(): IRange[] {
    return parseRanges(this._values.hidden);
  }

  get<K extends keyof IValues>(key: K): IValues[K] {
    return this._values[key];
  }

  set<K extends keyof IValues>(key: K, value: IValues[K]): void {
    this._values = { ...this._values, [key]: value };
    this._changed.emit();
    this._kept
      ?.set(key, value)
      .catch(reason => console.error(`The setting "${key}" of the ports cannot be kept`, reason));
  }

  /** Take the values that are kept, and keep those that are set from now on. */
  keep(settings: ISettingRegistry.ISettings): void {
    const read = (): void => {
      this._values = {
        announce: settings.get('announce').composite as boolean,
        hidden: settings.get('hidden').composite as string[],
        showInternal: settings.get('showInternal').composite as boolean,
        interval: settings.get('interval').composite as number,
        idleInterval: settings.get('idleInterval').composite as number
      };
      this._changed.emit();
    };
    this._kept = settings;
    read();
    settings.changed.connect(read);
  }

  private _values: IValues = { announce: true, hidden: [], showInternal: false, interval: 3, idleInterval: 10 };
  private _kept: ISettingRegistry.ISettings | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
