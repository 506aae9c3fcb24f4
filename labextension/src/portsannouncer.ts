// Tells, once, that a kernel or a terminal has opened a port.

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { IPort } from './api';
import { findNew, INames, ownerName, QUIET } from './ports';
import { PortsModel, PortsSettings } from './portsmodel';

/** More ports than these that come at once are told of together. */
const FEW = 3;

/** Milliseconds that an announcement stays; it is in the list of notifications as long as the port is open. */
const STAYS = 15000;

/** When ports were announced last: common to all pages of this Jupyter, of which Notebook 7 opens many. */
export class AnnouncedPorts {
  /**
   * @param baseUrl - of Jupyter: behind JupyterHub there are several on one host
   */
  constructor(baseUrl: string) {
    this._key = `jupyter-server-proxy:announced-ports:${baseUrl}`;
  }

  /** Milliseconds since the epoch; 0 if never. */
  last(port: number): number {
    return this.read()[port] ?? 0;
  }

  add(port: number, time: number): void {
    const all: Record<string, number> = { ...this.read(), [port]: time };
    this._own = Object.fromEntries(Object.entries(all).filter(([, when]) => Math.abs(time - when) < QUIET));
    try {
      window.localStorage.setItem(this._key, JSON.stringify(this._own));
    } catch {
      // The browser keeps nothing for this page: then each page remembers its own announcements.
    }
  }

  private read(): Record<string, number> {
    try {
      const kept = JSON.parse(window.localStorage.getItem(this._key) ?? '{}') as Record<string, number>;
      return { ...this._own, ...kept };
    } catch {
      return this._own;
    }
  }

  private readonly _key: string;
  private _own: Record<string, number> = {};
}

export interface IAnnouncerOptions {
  model: PortsModel;
  settings: PortsSettings;
  announced: AnnouncedPorts;
  names: INames;
  trans: TranslationBundle;
  open(port: IPort): void;
  showPanel(): void;
}

export class PortsAnnouncer {
  constructor(private readonly _options: IAnnouncerOptions) {
    _options.model.looked.connect(this.look, this);
    _options.settings.changed.connect(this.forget, this);
  }

  private look(): void {
    const { model, settings, announced } = this._options;
    if (model.problem !== null || !settings.get('announce')) {
      return;
    }
    const numbers = new Set(model.all.map(({ port }) => port));
    for (const [port, id] of this._shown) {
      if (!numbers.has(port)) {
        Notification.dismiss(id);
        this._shown.delete(port);
      }
    }
    const time = Date.now();
    const found = findNew(this._before, model.all, settings.ranges, port => announced.last(port), time);
    this._before = numbers;
    for (const { port } of found) {
      announced.add(port, time);
    }
    if (found.length > FEW) {
      this.announceTogether(found);
    } else {
      found.forEach(port => this.announce(port));
    }
  }

  /** Who wants announcements again is not told of what was opened meanwhile. */
  private forget(): void {
    if (!this._options.settings.get('announce')) {
      this._before = null;
    }
  }

  private announce(port: IPort): void {
    const { names, open, trans } = this._options;
    const owner = shorten(ownerName(port.owner, names, trans));
    const message = trans.__('%1 listens on port %2 (%3).', owner, port.port, shorten(port.process));
    const actions = [
      { label: trans.__('Open'), displayType: 'accent' as const, callback: () => open(port) },
      this.muteAction()
    ];
    this._shown.set(port.port, Notification.info(message, { autoClose: STAYS, actions }));
  }

  private announceTogether(ports: readonly IPort[]): void {
    const { showPanel, trans } = this._options;
    const message = trans.__('%1 ports were opened: %2', ports.length, ports.map(({ port }) => port).join(', '));
    const actions = [
      { label: trans.__('Show'), displayType: 'accent' as const, callback: showPanel },
      this.muteAction()
    ];
    Notification.info(message, { autoClose: STAYS, actions });
  }

  private muteAction(): Notification.IAction {
    const { settings, trans } = this._options;
    return {
      label: trans.__('Mute'),
      caption: trans.__('Announce no more ports; the settings and the bell in the panel "Ports" change this again.'),
      callback: () => settings.set('announce', false)
    };
  }

  /** Announcements of single ports. */
  private readonly _shown = new Map<number, string>();
  private _before: ReadonlySet<number> | null = null;
}

/** Notifications have room for 140 characters. */
function shorten(text: string): string {
  return text.length <= 50 ? text : `${text.slice(0, 49)}…`;
}
