import * as pulumi from "@pulumi/pulumi";
import { SecretsLayer } from "@pulumi/platform-secrets";

const config = new pulumi.Config();
const layer = new SecretsLayer("secrets", {
    environment: config.requireObject("environment"),
    catalogue: config.requireObject("catalogue"),
    values: {
        "database-url": config.requireSecret("database-url"),
        "token": config.requireSecret("token"),
        "smtp-password": config.requireSecret("smtp-password"),
    },
});
export const namespace: pulumi.Output<string> = layer.namespace;
