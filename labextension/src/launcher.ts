// Tiles in the launcher, commands in the palette, entries in File > New.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { JSONObject } from '@lumino/coreutils';

import { Api, ILauncherEntry, IServerInfo } from './api';
import { serverIcon } from './icons';
import { CommandIDs, IOpener, PLUGIN } from './tokens';

/** One entry of one server, ready to be shown. */
export interface IEntry {
  category: string;
  iconUrl: string | undefined;
  args: JSONObject;
}

/**
 * The entries to show.
 *
 * @param infos - as servers-info tells them
 * @param baseUrl - of Jupyter
 */
export function entriesOf(infos: IServerInfo[], baseUrl: string): IEntry[] {
  return infos.flatMap(info => {
    const entries: ILauncherEntry[] = info.launcher_entries ?? [info.launcher_entry];
    return entries
      .filter(entry => entry.enabled)
      .map((entry, index) => ({
        category: entry.category,
        iconUrl: entry.icon_url,
        args: {
          id: `server-proxy:${info.name}${index ? `:${index}` : ''}`,
          title: entry.title,
          url: joinPath(baseUrl, entry.path_info),
          newBrowserTab: info.new_browser_tab,
          ...(entry.icon_url ? { iconUrl: entry.icon_url } : {})
        }
      }));
  });
}

/** Query and fragment stay as they are. */
function joinPath(baseUrl: string, path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? URLExt.join(baseUrl, path) : URLExt.join(baseUrl, path.slice(0, end)) + path.slice(end);
}

/** The id is known to other extensions. */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:add-launcher-entries`,
  description: 'Shows servers in the launcher, the command palette and the menu.',
  autoStart: true,
  requires: [IOpener],
  optional: [ILauncher, ICommandPalette, IMainMenu, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    opener: IOpener,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    menu: IMainMenu | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const show = (infos: IServerInfo[]): void => {
      const entries = entriesOf(infos, api.settings.baseUrl);
      for (const { category, iconUrl, args } of entries) {
        launcher?.add({
          command: CommandIDs.open,
          args,
          category,
          rank: 1000,
          // Notebook and Console show images, all other categories the icon of the command.
          kernelIconUrl: iconUrl ?? defaultIconUrl()
        });
        palette?.addItem({ command: CommandIDs.open, args: { ...args, isPalette: true }, category: trans.__('Servers') });
      }
      if (menu && entries.length) {
        menu.fileMenu.newMenu.addGroup(entries.map(({ args }) => ({ command: CommandIDs.open, args })), 50);
      }
    };
    // Nobody waits for this.
    api.serversInfo().then(show, reason => console.error('The servers of server-proxy cannot be listed', reason));
  }
};

/** An image has no part in the theme: its grey is one that can be seen on white and on black. */
function defaultIconUrl(): string {
  return `data:image/svg+xml,${encodeURIComponent(serverIcon.svgstr.replace(/#616161/g, '#858585'))}`;
}
