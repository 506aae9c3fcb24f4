// The section "Servers" of Running Terminals and Kernels, in JupyterLab and in Notebook 7.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import { IServer } from './api';
import { describeBytes, describeDuration } from './format';
import { iconOf } from './icons';
import { CommandIDs, IServers, PLUGIN } from './tokens';

/** What is told of a server behind its name, where there is little room: of one that runs, how long and how large. */
export function describe(server: IServer, trans: TranslationBundle, now: number = Date.now()): string {
  const words: string[] = [];
  switch (server.state) {
    case 'ready':
      words.push(describeDuration(now - Date.parse(server.started ?? server.since)));
      break;
    case 'starting':
      words.push(trans.__('starting'));
      break;
    case 'stopping':
      words.push(trans.__('stopping'));
      break;
    case 'failed':
      words.push(trans.__('failed'));
      break;
    default:
      words.push(trans.__('stopped'));
  }
  if (server.process) {
    words.push(describeBytes(server.process.memory_bytes));
  }
  return words.join(', ');
}

class RunningServer implements IRunningSessions.IRunningItem {
  constructor(
    private readonly _server: IServer,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    this.context = _server.state;
  }

  readonly className = 'jp-ServerProxy-running';
  readonly context: string;

  open = (): void => {
    const { name, title, url, new_browser_tab: newBrowserTab } = this._server;
    void this._commands.execute(CommandIDs.open, {
      id: `server-proxy:${name}`,
      title,
      url,
      newBrowserTab
    });
  };

  shutdown = (): void => {
    void this._commands.execute(CommandIDs.stop, { name: this._server.name });
  };

  icon = (): LabIcon => iconOf(this._server.name, this._server.icon_url);
  label = (): string => this._server.title;
  labelTitle = (): string =>
    [this._server.url, this._server.failure?.message].filter(text => !!text).join('\n');
  detail = (): string => describe(this._server, this._trans);
}

export const runningPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:running`,
  description: 'Shows the running servers in the panel of running sessions.',
  autoStart: true,
  requires: [IServers],
  // The page of a notebook in Notebook 7 has no such panel.
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ): void => {
    if (!managers) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const running = (): IServer[] =>
      servers.all.filter(({ managed, state }) => managed && state !== 'stopped');
    managers.add({
      name: trans.__('Servers'),
      running: () => running().map(server => new RunningServer(server, app.commands, trans)),
      shutdownAll: () => {
        for (const { name } of running()) {
          void app.commands.execute(CommandIDs.stop, { name });
        }
      },
      refreshRunning: () => void servers.refresh(),
      runningChanged: servers.changed,
      shutdownLabel: trans.__('Shut Down'),
      shutdownAllLabel: trans.__('Shut Down All'),
      shutdownAllConfirmationText: trans.__('Are you sure you want to stop all servers?')
    });
    app.contextMenu.addItem({
      command: CommandIDs.restart,
      selector: '.jp-ServerProxy-running',
      rank: 10
    });
  }
};
