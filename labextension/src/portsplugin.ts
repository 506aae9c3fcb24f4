// The panel "Ports": where the user's processes listen, to open it through Jupyter; and announcements of new ports.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, ICommandPalette } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { Api, PortOwner } from './api';
import { INames } from './ports';
import { AnnouncedPorts, PortsAnnouncer } from './portsannouncer';
import { PortsModel, PortsSettings } from './portsmodel';
import { IPortActions, portIcon, PortsPanel } from './portspanel';
import { CommandIDs, IServers, PLUGIN } from './tokens';

/** Behind the running sessions, before the table of contents. */
const RANK = 300;

function makeNames(app: JupyterFrontEnd, servers: IServers): INames {
  return {
    kernel: name => app.serviceManager.kernelspecs.specs?.kernelspecs[name]?.display_name ?? name,
    server: name => servers.get(name)?.title ?? name
  };
}

/**
 * @param title - of the tab of a port
 * @param tabs - whether there are any: Notebook 7 has a page of the browser for each thing
 */
function makeActions(
  { commands }: JupyterFrontEnd,
  api: Api,
  servers: IServers,
  title: (port: number) => string,
  tabs: boolean
): IPortActions {
  const opener = (owner: PortOwner): { id: string; args: ReadonlyPartialJSONObject } | null => {
    if (owner.kind === 'kernel' && owner.notebook) {
      return { id: 'docmanager:open', args: { path: owner.notebook } };
    }
    if (owner.kind === 'terminal') {
      return { id: 'terminal:open', args: { name: owner.name } };
    }
    const server = owner.kind === 'server' && servers.get(owner.name);
    if (server) {
      const { name, title, url } = server;
      return { id: CommandIDs.open, args: { id: `server-proxy:${name}`, title, url, newBrowserTab: !tabs } };
    }
    return null;
  };
  return {
    open: ({ url }) => {
      window.open(api.absolute(url), '_blank', 'noopener');
    },
    openTab: !tabs
      ? null
      : ({ port, url }) => {
          // Like a tab that is restored, it is one wherever the settings want servers to be opened: the button says so.
          const id = `server-proxy:port:${port}`;
          void commands.execute(CommandIDs.open, { id, title: title(port), url, newBrowserTab: false, restored: true });
        },
    copyLink: ({ url }) => Clipboard.copyToSystem(api.absolute(url)),
    opener: owner => {
      const command = opener(owner);
      return command && commands.hasCommand(command.id) ? () => void commands.execute(command.id, command.args) : null;
    }
  };
}

export const portsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:ports`,
  description: 'Shows the ports on which processes of the user listen, and announces new ones.',
  autoStart: true,
  requires: [IServers],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const model = new PortsModel(api);
    const settings = new PortsSettings();
    const names = makeNames(app, servers);
    const actions = makeActions(app, api, servers, port => trans.__('Port %1', port), labShell !== null);

    const panel = new PortsPanel({ model, settings, actions, names, trans });
    panel.id = 'jp-server-proxy-ports';
    panel.title.caption = trans.__('Ports');
    panel.title.icon = portIcon;
    app.shell.add(panel, 'left', { rank: RANK, type: 'Ports' });
    restorer?.add(panel, panel.id);

    const showPanel = (): void => app.shell.activateById(panel.id);
    app.commands.addCommand(CommandIDs.showPorts, { label: trans.__('Show Ports'), execute: showPanel });
    palette?.addItem({ command: CommandIDs.showPorts, category: trans.__('Servers') });

    const announced = new AnnouncedPorts(api.settings.baseUrl);
    new PortsAnnouncer({ model, settings, announced, names, trans, open: actions.open, showPanel });

    const setPace = (): void => {
      if (panel.isVisible) {
        model.setInterval(settings.get('interval') * 1000);
      } else {
        model.setInterval(settings.get('announce') ? settings.get('idleInterval') * 1000 : null);
      }
    };
    // The first look waits for the settings: what is muted must not be announced.
    const begin = (): void => {
      settings.changed.connect(setPace);
      panel.shown.connect(setPace);
      setPace();
    };
    if (registry) {
      registry
        .load(`${PLUGIN}:ports`)
        .then(kept => settings.keep(kept))
        .catch(reason => console.error('The settings of the ports cannot be loaded', reason))
        .finally(begin);
    } else {
      begin();
    }
  }
};
