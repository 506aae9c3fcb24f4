// Specs beside the sources; what they import of JupyterLab and Lumino are ES modules, which are transformed, too.
const esm = ['@jupyter', '@jupyterlab', '@jupyter-notebook', '@lumino', '@microsoft', '@rjsf', 'exenv-es6', 'lib0', 'nanoid', 'vscode-ws-jsonrpc', 'y-protocols', 'y-websocket', 'yjs'].join('|');

module.exports = {
  testEnvironment: 'jsdom',
  silent: true, // JupyterLab says what jsdom lacks
  testRegex: 'src/.*\\.spec\\.ts$',
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      'ts-jest',
      { isolatedModules: true, diagnostics: false, tsconfig: { allowJs: true, module: 'commonjs', target: 'ES2022', esModuleInterop: true } }
    ]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esm})/)`],
  moduleNameMapper: {
    '\\.svg$': '<rootDir>/spec/svg.js',
    '\\.(css|less)$': '<rootDir>/spec/style.js'
  },
  setupFiles: ['<rootDir>/spec/setup.js']
};
