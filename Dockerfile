# Image with the programs and nothing else: no shell, no libc, no package
# manager. `make image` builds it.
ARG GO_VERSION=1.26
ARG NODE_VERSION=20

FROM --platform=$BUILDPLATFORM node:${NODE_VERSION}-bookworm AS page
WORKDIR /src
COPY web/package.json web/package-lock.json ./
RUN npm ci
COPY web .
RUN npm run build && npm run build:plugin

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=page /src/dist web/dist
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} VERSION=${VERSION} OUT=/out scripts/build

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="freehold" \
      org.opencontainers.image.description="Managed DHCP for KubeVirt virtual machines on Harvester" \
      org.opencontainers.image.source="https://github.com/freehold-net/freehold" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/manager /manager
COPY --from=build /out/agent /agent
COPY --from=build /out/extension /extension
# An agent's pod asks for root and two capabilities, because the kernel gives
# raw sockets to no other user of a container; everything else is as here.
USER 65532:65532
CMD ["/manager"]
