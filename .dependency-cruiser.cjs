const engines = '^libs/(volsnap|deployer)/';

/** Who may import whom (DESIGN.md section 2). Each ban says why in its own words. */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'A circle of imports has no first file: it cannot be read, tested or loaded in order.',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'contracts-at-the-bottom',
      comment:
        'contracts is read by every runtime, the browser and the workflow sandbox included: it imports nothing of ours and does no I/O.',
      severity: 'error',
      from: { path: '^libs/contracts/' },
      to: { path: '^(libs/(?!contracts/)|apps/|plugins/)' },
    },
    {
      name: 'contracts-without-io',
      comment: 'contracts runs in the browser and in the workflow sandbox, where Node built-ins do not exist.',
      severity: 'error',
      from: { path: '^libs/contracts/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'archive-safe-knows-no-product',
      comment:
        'archive-safe is the room that reads hostile input as root: it must be readable alone, without Docker, workloads or Temporal.',
      severity: 'error',
      from: { path: '^libs/archive-safe/' },
      to: { path: '^(libs/(?!archive-safe/|contracts/)|apps/|plugins/)' },
    },
    {
      name: 'docker-below-the-engines',
      comment: 'The Docker port is used by engines; if it knew one of them, no engine could be tested without it.',
      severity: 'error',
      from: { path: '^libs/docker/' },
      to: { path: '^(libs/(?!docker/|contracts/)|apps/|plugins/)' },
    },
    {
      name: 'dockerode-behind-its-port',
      comment: 'Only libs/docker may import dockerode: engines are tested and faulted through the port.',
      severity: 'error',
      from: { pathNot: '^libs/docker/' },
      to: { path: 'node_modules/(dockerode|docker-modem)' },
    },
    {
      name: 'plugin-api-below-the-engines',
      comment: 'A plugin contract that imports an engine ties every plugin to that engine.',
      severity: 'error',
      from: { path: '^libs/plugin-api/' },
      to: { path: '^(libs/(volsnap|deployer|workflows)/|apps/|plugins/)' },
    },
    {
      name: 'engines-do-not-meet',
      comment:
        'Engines never import each other: the workflow and its activities join them, so that each can be proven alone.',
      severity: 'error',
      from: { path: engines },
      to: { path: '^libs/(volsnap|deployer|workflows)/', pathNot: '^libs/$1/' },
    },
    {
      name: 'engines-know-no-app',
      comment: 'An engine that imports the server or a plugin knows a scope or a source type by name.',
      severity: 'error',
      from: { path: engines },
      to: { path: '^(apps/|plugins/|libs/workflows/)' },
    },
    {
      name: 'volsnap-effects-through-ports',
      comment:
        'Every effect of the restore transaction goes through FsPort: what bypasses it is never crashed, killed or failed by the proofs.',
      severity: 'error',
      from: {
        path: '^libs/volsnap/src/',
        pathNot:
          '^libs/volsnap/src/(testing/|ports/node-fs-port\\.ts|identity/(file-system-names|directory-traits)\\.ts)|\\.(spec|prove)\\.ts$',
      },
      to: { path: '^(node:)?(fs|child_process)(/promises)?$', dependencyTypes: ['core'] },
    },
    {
      name: 'plugins-stay-outside',
      comment:
        'Plugins import plugin-api and below, never an engine, an app or another plugin: only so can a stranger write one.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^(libs/(volsnap|deployer|workflows)/|apps/|plugins/(?!$1/))' },
    },
    {
      name: 'workflows-are-deterministic',
      comment:
        'Workflow code runs in a sandbox and is replayed: only contracts and the workflow package of Temporal may be in it.',
      severity: 'error',
      from: { path: '^libs/workflows/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(libs/(?!workflows/|contracts/)|apps/|plugins/)|node_modules/@temporalio/(?!workflow|common)' },
    },
    {
      name: 'web-knows-only-the-contract',
      comment: 'The web app is static files: whatever it shares with the server goes through contracts.',
      severity: 'error',
      from: { path: '^apps/web/' },
      to: { path: '^(libs/(?!contracts/)|apps/(?!web/)|plugins/)' },
    },
    {
      name: 'nobody-imports-an-app',
      comment: 'Apps are the ends of the graph.',
      severity: 'error',
      from: { path: '^(libs|plugins)/' },
      to: { path: '^apps/' },
    },
    {
      name: 'e2e-stays-outside',
      comment:
        'The end-to-end tests prove what a stranger meets: ports, files and processes. Of our code they may know the words only.',
      severity: 'error',
      from: { path: '^e2e/' },
      to: { path: '^(libs/(?!contracts/)|apps/|plugins/|tools/)' },
    },
    {
      name: 'tools-stand-apart',
      comment:
        'The tools run before anything is built and start what they must not depend on: of our code they may know the settings only.',
      severity: 'error',
      from: { path: '^tools/' },
      to: { path: '^(libs/(?!contracts/)|apps/|plugins/|e2e/)' },
    },
    {
      name: 'nobody-imports-tools',
      comment: 'The product must run where the tools are not: started by a service manager, or on a second host.',
      severity: 'error',
      from: { path: '^(libs|plugins|apps|e2e)/', pathNot: '(\\.config\\.[mc]?[jt]s|/testing/[^/]+)$' },
      to: { path: '^tools/' },
    },
    {
      name: 'tar-stream-is-an-oracle',
      comment:
        'General-purpose tar readers repair what ours refuses: tar-stream serves only as an oracle in tests (ADR 0008).',
      severity: 'error',
      from: { pathNot: '\\.spec\\.ts$' },
      to: { path: 'node_modules/tar-stream' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|build|reports|\\.svelte-kit)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['tiny-forge-source', 'import', 'require', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs'],
    },
  },
};
