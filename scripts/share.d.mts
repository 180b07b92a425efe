export declare function readShare(text: string): ((index: number) => boolean) | undefined;
