// The command that shows the output of a server, and its tabs.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, ToolbarButton, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { clearIcon, downloadIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';

import { Api } from './api';
import { LogView } from './logview';
import { CommandIDs, IServers, PLUGIN } from './tokens';

export const logsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:logs`,
  description: 'Shows the output of servers as it is written.',
  autoStart: true,
  requires: [IServers],
  optional: [ILabShell, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): void => {
    if (!labShell) {
      return; // a window of Notebook 7 shows one thing
    }
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const tracker = new WidgetTracker<MainAreaWidget<LogView>>({ namespace: 'server-proxy-log' });

    const make = (name: string): MainAreaWidget<LogView> => {
      const view = new LogView(name, api, trans);
      const tab = new MainAreaWidget({ content: view });
      tab.id = `server-proxy-log:${name}`;
      tab.title.label = trans.__('Log of %1', servers.get(name)?.title ?? name);
      tab.title.icon = textEditorIcon;
      tab.title.closable = true;
      const button = (id: string, props: ToolbarButton['props'] & object): void => {
        tab.toolbar.addItem(id, new ToolbarButton(props));
      };
      button('restart', {
        label: trans.__('Restart'),
        tooltip: trans.__('Restart the server'),
        onClick: () => void app.commands.execute(CommandIDs.restart, { name })
      });
      button('stop', {
        icon: stopIcon,
        tooltip: trans.__('Stop the server'),
        onClick: () => void app.commands.execute(CommandIDs.stop, { name })
      });
      button('download', {
        icon: downloadIcon,
        tooltip: trans.__('Download the output'),
        onClick: () => download(`${name.replace(/\//g, '-')}.log`, view.text)
      });
      button('clear', {
        icon: clearIcon,
        tooltip: trans.__('Clear what is shown'),
        onClick: () => view.clear()
      });
      return tab;
    };

    app.commands.addCommand(CommandIDs.showLog, {
      label: trans.__('Show Log'),
      execute: args => {
        const name = String(args.name);
        let tab = tracker.find(one => one.content.name === name);
        if (!tab) {
          tab = make(name);
          void tracker.add(tab);
        }
        if (!tab.isAttached) {
          labShell.add(tab, 'main', { mode: 'split-bottom' });
        }
        labShell.activateById(tab.id);
        return tab;
      }
    });

    if (restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.showLog,
        args: tab => ({ name: tab.content.name }),
        name: tab => tab.content.name
      });
    }
  }
};

function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
