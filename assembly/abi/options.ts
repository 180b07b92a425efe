/**
 * Whether attention has every option: keys of distances, other scores, choices of keys, looks. The module for attention alone leaves them
 * out, so that pages download less; its wrapper refuses them.
 */
// @ts-ignore: decorator
@inline
export const HAS_EVERY_OPTION: bool = HAS_EVERY_OPTION_BUILD != 0;
