// Entries in the "New" menu above the files of Notebook 7.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTree } from '@jupyter-notebook/tree';
import { Menu, MenuBar } from '@lumino/widgets';

import { Api } from './api';
import { entriesOf } from './launcher';
import { CommandIDs, IOpener, PLUGIN } from './tokens';

/**
 * The "New" menu. Notebook 7 has no interface for it: its toolbar makes a bar each time that it is asked, and all bars
 * hold the same menu.
 */
function findMenu(toolbars: IToolbarWidgetRegistry, browser: IDefaultFileBrowser): Menu | null {
  const bar = toolbars.createWidget('FileBrowser', browser, { name: 'new-dropdown' });
  const menu = bar instanceof MenuBar ? bar.menus[0] ?? null : null;
  bar.dispose(); // its menus stay
  return menu;
}

export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:notebook-new-menu`,
  description: 'Shows servers in the "New" menu of Notebook 7.',
  autoStart: true,
  requires: [IOpener],
  // JupyterLab has no INotebookTree, and the pages of Notebook 7 that are not the list of files have none either.
  optional: [INotebookTree, IToolbarWidgetRegistry, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    opener: IOpener,
    tree: INotebookTree | null,
    toolbars: IToolbarWidgetRegistry | null,
    browser: IDefaultFileBrowser | null
  ): void => {
    if (!tree || !toolbars || !browser) {
      return;
    }
    const api = new Api(app.serviceManager.serverSettings);
    // Nobody waits for this. When the application is restored, Notebook has made its menu.
    Promise.all([api.serversInfo(), app.restored]).then(
      ([infos]) => {
        const options: Menu.IItemOptions[] = entriesOf(infos, api.settings.baseUrl).map(({ args }) => ({
          command: CommandIDs.open,
          args: { ...args, newBrowserTab: true }
        }));
        const menu = options.length ? findMenu(toolbars, browser) : null;
        if (!menu) {
          return;
        }
        let items: Menu.IItem[] = [];
        const show = (): void => {
          items.filter(item => menu.items.includes(item)).forEach(item => menu.removeItem(item));
          items = [{ type: 'separator' } as Menu.IItemOptions, ...options].map(one => menu.addItem(one));
        };
        show();
        // Notebook empties the menu when the kernels change; it was connected before.
        app.serviceManager.kernelspecs.specsChanged.connect(show);
      },
      reason => console.error('The servers of server-proxy cannot be listed', reason)
    );
  }
};
