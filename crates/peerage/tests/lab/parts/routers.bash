# shellcheck shell=bash
# Part of `lab`: what the routers translate and let pass.

# TYPE: sets what a type of NAT has of its own; README.md describes them.
#   maps      sets of learnt mappings
#   learn     for every packet out, before it is translated
#   incoming  what is translated on its way in
#   source    how the source of packets on their way out is translated
#   input     what becomes of packets to the router itself that nobody asked for
#   forward   what else may or may not pass
nat_type() {
  maps="" learn="" incoming="" source="masquerade" input="drop" forward=""
  local timeouts="flags dynamic,timeout; timeout 2m; size 65535;"
  local both="ip protocol { tcp, udp }"
  case $1 in
    cone) ;;
    conereject) input='meta l4proto tcp reject with tcp reset; iifname "wan" reject' ;;
    coneopen) input="accept" ;;
    sym) source="masquerade random,fully-random" ;;
    remap)
      maps="map remapped { type inet_service : inet_service; elements = { $(remapped_ports) }; }"
      source="$both masquerade to : th sport map @remapped; oifname \"wan\" masquerade" ;;
    addrcone)
      maps="map learnt { type inet_proto . inet_service . ipv4_addr : ipv4_addr; $timeouts }"
      learn="$both update @learnt { ip protocol . th sport . ip daddr : ip saddr }"
      incoming="$both dnat to ip protocol . th dport . ip saddr map @learnt" ;;
    fullcone)
      maps="map learnt { type inet_proto . inet_service : ipv4_addr; $timeouts }"
      learn="$both update @learnt { ip protocol . th sport : ip saddr }"
      incoming="$both dnat to ip protocol . th dport map @learnt" ;;
    udpblock) forward="meta l4proto udp drop" ;;
    web) forward='iifname "lan*" tcp dport != { 80, 443 } drop; iifname "lan*" meta l4proto != tcp drop' ;;
    *) die "unknown type of NAT: $1" ;;
  esac
}

# Ports 4000 to 4099 and 20000 to 20099 leave as themselves plus 10000.
remapped_ports() {
  local port
  for port in $(seq 4000 4099) $(seq 20000 20099); do printf '%s : %s, ' "$port" $((port + 10000)); done
}

# ADDRESS: rules by which hosts behind one router meet at its public address
hairpin_rules() {
  cat <<NFT
table ip hairpin
delete table ip hairpin
table ip hairpin {
  map inside {
    type inet_proto . inet_service : ipv4_addr
    flags dynamic,timeout; timeout 2m; size 65535
  }
  chain learn {
    type filter hook postrouting priority 90
    oifname "wan" ip protocol { tcp, udp } update @inside { ip protocol . th sport : ip saddr }
  }
  chain incoming {
    type nat hook prerouting priority -110
    iifname "lan*" ip daddr $1 ip protocol { tcp, udp } dnat to ip protocol . th dport map @inside
  }
  chain outgoing {
    type nat hook postrouting priority 90
    iifname "lan*" oifname "lan*" ct status dnat snat to $1
  }
  chain forward {
    type filter hook forward priority -10
    ct state established,related accept
    iifname "lan*" oifname "lan*" ct status dnat accept
    iifname "lan*" oifname "lan*" drop
  }
}
NFT
}

# TYPE: the rules of a router between its interfaces lan and wan
router_rules() {
  local maps learn incoming source input forward
  nat_type "$1"
  cat <<NFT
table ip nat
delete table ip nat
table ip nat {
  $maps
  chain learn { type filter hook postrouting priority 90; ${learn:+oifname "wan" $learn;} }
  chain incoming { type nat hook prerouting priority dstnat; ${incoming:+iifname "wan" $incoming;} }
  chain outgoing { type nat hook postrouting priority srcnat; oifname "wan" $source; }
}
table ip firewall
delete table ip firewall
table ip firewall {
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    iifname "wan" icmp type echo-request accept
    iifname "wan" $input
  }
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
    $forward
    iifname "wan" ct status dnat accept
    iifname "wan" drop
  }
}
NFT
}

# The firewall of an IPv6 router, as RFC 6092 wants it: in comes what was asked for.
firewall6_rules() {
  cat <<'NFT'
table ip6 firewall {
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    meta l4proto icmpv6 accept
    iifname "wan" drop
  }
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
    iifname "wan" drop
  }
}
NFT
}

# NAME TYPE PUBLIC_ADDRESS: makes a host with interfaces lan and wan a router
route() {
  echo "$2" >"$STATE/type-$1"
  set_kernel "$1" ipv4/ip_forward=1
  router_rules "$2" | inside "$1" nft -f -
  if [ -e "$STATE/hairpin-$1" ]; then hairpin_rules "$3" | inside "$1" nft -f -; fi
}
