// scope-host: volumes that are a directory of the host. `absolute` is a path of the user's, `stage` and `project` live in the data folder.
export { absoluteScope } from './absolute-scope.ts';
export { projectScope, stageScope } from './data-folder-scope.ts';
