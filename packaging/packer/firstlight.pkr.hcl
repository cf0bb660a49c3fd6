# An AMI with firstlight in cloud-init's place, of Debian 13 unless told.
#
#   packaging/build deb
#   packer init packaging/packer
#   packer build -var 'packages=target/packages/*.deb' packaging/packer
#
# For Amazon Linux 2023: packaging/build rpm, and
#   -var source_owner=137112412989 -var 'source_name=al2023-ami-2023.*-x86_64' -var ssh_username=ec2-user
#   -var 'packages=target/packages/*.rpm'
#
# Source of the options: the documentation of Packer's plugin for Amazon, builder amazon-ebs.
packer {
  required_version = ">= 1.9.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.8"
    }
  }
}

variable "packages" {
  type        = string
  description = "What packaging/build made: a pattern of file names."
}

variable "compat" {
  type        = bool
  default     = true
  description = "Whether tools and units that name cloud-init shall find what they look for."
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "instance_type" {
  type    = string
  default = "t3.small"
}

variable "source_owner" {
  type        = string
  default     = "136693071363"
  description = "Whose image it is built on: Debian's account unless told."
}

variable "source_name" {
  type        = string
  default     = "debian-13-amd64-*"
  description = "The name of that image; the latest one is taken."
}

variable "ssh_username" {
  type    = string
  default = "admin"
}

variable "image_name" {
  type    = string
  default = "firstlight"
}

locals {
  # No blank and no colon may be in the name of an image.
  stamp = formatdate("YYYYMMDD-hhmmss", timestamp())
}

source "amazon-ebs" "image" {
  region        = var.region
  instance_type = var.instance_type
  ami_name      = "${var.image_name}-${local.stamp}"
  # Instances of it have to ask as firstlight does.
  imds_support = "v2.0"

  source_ami_filter {
    owners      = [var.source_owner]
    most_recent = true
    filters = {
      name                = var.source_name
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  ssh_username            = var.ssh_username
  temporary_key_pair_type = "ed25519"

  tags = {
    Name = var.image_name
    base = "{{ .SourceAMIName }}"
  }
}

build {
  sources = ["source.amazon-ebs.image"]

  provisioner "shell" {
    inline = ["mkdir -p /tmp/packages"]
  }

  provisioner "file" {
    sources     = fileset(".", var.packages)
    destination = "/tmp/packages/"
  }

  # What else belongs into the image is done before this one, which ends with the sealing.
  provisioner "shell" {
    script           = "${path.root}/bake"
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = ["PACKAGES=/tmp/packages", "COMPAT=${var.compat}"]
  }
}
