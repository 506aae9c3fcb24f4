// All plugins; each feature has its own file.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Api } from './api';
import { launcherPlugin } from './launcher';
import { logsPlugin } from './logs';
import { ServersModel } from './model';
import { notebookPlugin } from './notebook';
import { notifyPlugin } from './notify';
import { openPlugin } from './open';
import { portsPlugin } from './portsplugin';
import { runningPlugin } from './running';
import { IServers, PLUGIN } from './tokens';

/** The model that all others share. */
const serversPlugin: JupyterFrontEndPlugin<IServers> = {
  id: `${PLUGIN}:servers`,
  description: 'Knows the servers and their states.',
  autoStart: true,
  provides: IServers,
  activate: (app: JupyterFrontEnd): IServers => {
    const model = new ServersModel(new Api(app.serviceManager.serverSettings));
    model.begin();
    return model;
  }
};

export { IOpener, IServers } from './tokens';

export default [
  serversPlugin,
  openPlugin,
  launcherPlugin,
  notebookPlugin,
  runningPlugin,
  logsPlugin,
  notifyPlugin,
  portsPlugin
];
