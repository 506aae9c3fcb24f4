// What specs of plugins and widgets share: servers whose states the spec decides, and an application around them.

import { JupyterFrontEnd, LabShell } from '@jupyterlab/application';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { IServer } from '../src/api';
import { IServers, IStateChange } from '../src/tokens';

export const BASE = 'http://localhost/base/';

export const makeServer = (name: string, more: Partial<IServer> = {}): IServer =>
  ({
    name, title: `The ${name}`, url: `/base/${name}/`, icon_url: null, new_browser_tab: true, state: 'ready', since: '2026-01-01T00:00:00Z',
    started: null, managed: true, failure: null, process: null, ...more
  }) as IServer;

/** Servers; `acts` are what they were asked to do. */
export class FakeServers implements IServers {
  readonly changed = new Signal<this, void>(this);
  readonly stateChanged = new Signal<this, IStateChange>(this);
  acts: string[] = [];
  refreshed = 0;
  /** What each action fails with. */
  error: Error | null = null;

  constructor(public all: IServer[] = []) {}

  show(...servers: IServer[]): void {
    this.all = servers;
    this.changed.emit();
  }

  get = (name: string): IServer | undefined => this.all.find(server => server.name === name);
  find = (url: string): IServer | undefined => this.all.find(server => new URL(url, BASE).pathname.startsWith(server.url));
  refresh = async (): Promise<void> => void this.refreshed++;
  start = (name: string): Promise<void> => this.act(`start ${name}`);
  stop = (name: string): Promise<void> => this.act(`stop ${name}`);
  restart = (name: string): Promise<void> => this.act(`restart ${name}`);

  private async act(action: string): Promise<void> {
    this.acts.push(action);
    if (this.error) {
      throw this.error;
    }
  }
}

/** An application, and the widgets that were added to its shell and activated. */
export class FakeApp {
  readonly commands = new CommandRegistry();
  readonly added: Widget[] = [];
  readonly activated: string[] = [];
  readonly items: string[] = [];

  readonly shell = {
    add: (widget: Widget) => {
      this.added.push(widget);
      Widget.attach(widget, document.body);
    },
    activateById: (id: string) => void this.activated.push(id)
  } as unknown as LabShell;

  readonly app = {
    commands: this.commands,
    shell: this.shell,
    contextMenu: { addItem: ({ command }: { command: string }) => void this.items.push(command) },
    serviceManager: { serverSettings: { baseUrl: BASE } }
  } as unknown as JupyterFrontEnd;

  /** Note the arguments of a command that this application has not. */
  note(command: string): unknown[] {
    const calls: unknown[] = [];
    this.commands.addCommand(command, { execute: args => void calls.push(args) });
    return calls;
  }

  close(): void {
    this.added.forEach(widget => widget.dispose());
  }
}

/** Promises that are settled have told so, and what is to be drawn is drawn. */
export const settle = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20));
