export { invalid } from './fail'
export { readMirrorOptions } from './mirror-options'
export { readPluginOptions } from './plugin-options'
export { showRoute, showValue } from './show'
