export declare function readShare(text: string): ((index: number, count?: number) => boolean) | undefined;
