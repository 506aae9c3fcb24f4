// The command that shows the output of a server, and its tabs.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { clearIcon, downloadIcon, runIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';

import { Api } from './api';
import { LogView } from './logview';
import { CommandIDs, IServers, PLUGIN } from './tokens';
import { ButtonProps, PlainButton } from './toolbar';

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
      addToolbar(tab, { app, servers, trans });
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

interface IToolbarOptions {
  app: JupyterFrontEnd;
  servers: IServers;
  trans: TranslationBundle;
}

function addToolbar(tab: MainAreaWidget<LogView>, { app, servers, trans }: IToolbarOptions): void {
  const view = tab.content;
  const { name } = view;
  const act = (command: string) => () => void app.commands.execute(command, { name });
  const start: ButtonProps = {
    icon: runIcon,
    label: trans.__('Start'),
    tooltip: trans.__('Start the server'),
    onClick: act(CommandIDs.start)
  };
  const restart: ButtonProps = {
    label: trans.__('Restart'),
    tooltip: trans.__('Restart the server'),
    onClick: act(CommandIDs.restart)
  };
  // One that changes, as JupyterLab's toolbars cannot go by arrow keys over buttons that are hidden.
  const startButton = new PlainButton(restart);
  const stopButton = new PlainButton({
    icon: stopIcon,
    tooltip: trans.__('Stop the server'),
    onClick: act(CommandIDs.stop)
  });
  const file = `${name.replace(/\//g, '-')}.log`;
  const items = {
    start: startButton,
    stop: stopButton,
    download: new PlainButton({
      icon: downloadIcon,
      tooltip: trans.__('Download the output'),
      onClick: () => download(file, view.text)
    }),
    clear: new PlainButton({ icon: clearIcon, tooltip: trans.__('Clear what is shown'), onClick: () => view.clear() })
  };
  Object.entries(items).forEach(([id, button]) => tab.toolbar.addItem(id, button));

  const showState = (): void => {
    const state = servers.get(name)?.state;
    const rests = state === 'stopped' || state === 'failed';
    startButton.become(rests ? start : restart);
    if (rests && stopButton.node.contains(document.activeElement)) {
      (startButton.node.firstElementChild as HTMLElement | null)?.focus(); // a disabled button would lose it
    }
    stopButton.enabled = !rests;
  };
  showState();
  servers.changed.connect(showState, view); // until the view is disposed of
}

function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
